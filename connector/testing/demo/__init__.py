"""`make demo`: the whole product on real payload shapes, a week of two shops' life in seconds, checked at its end."""
