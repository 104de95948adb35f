"""The phases of a run. Each takes a `Bench`, puts figures into its results and returns nothing."""
