"""The intake gateway: requests, sealed reporters, the catalogue, the privacy policy."""
