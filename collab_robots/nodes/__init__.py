"""Thin rclpy nodes: parameters, topics and conversions. No algorithm lives here."""
