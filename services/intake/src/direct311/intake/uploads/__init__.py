"""Files that are uploaded to the store before a request names them."""
