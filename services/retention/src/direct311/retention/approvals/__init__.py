"""What waits for somebody's approval, over all cases."""
