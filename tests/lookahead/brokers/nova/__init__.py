"""Nova: columns of arrays, rows by position, composite keys, CSV reports."""
