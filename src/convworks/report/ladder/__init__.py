"""The ladder of detectors in lines, as a table and as a page."""
