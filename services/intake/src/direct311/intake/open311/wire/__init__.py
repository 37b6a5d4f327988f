"""GeoReport v2 on the wire: parameters, trees, JSON and XML, and the document."""
