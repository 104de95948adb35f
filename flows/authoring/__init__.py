"""What authors of flows meet: checks of their files, edits, differences, flows as people read them."""
