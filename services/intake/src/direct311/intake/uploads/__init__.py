"""Files that are brought to the store before a request names them."""
