"""What an open case preserves: a provisional hold at once, real holds once records are known."""
