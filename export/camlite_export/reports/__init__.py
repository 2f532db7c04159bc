"""Reports as HTML pages that fetch nothing."""
