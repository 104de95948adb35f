"""From a template's name and a view of the order to the bytes of an e-mail: `flows.render.renderer.Renderer`.

Nothing is imported here: pages and channels use single modules of this package, and the server needs no templates.
"""
