"""The step types that come with the product: one class a file, registered under `kiitos.steps` like anyone's."""
