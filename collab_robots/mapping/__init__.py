"""One robot's map from its lidar, and the team's map from everybody's; imports no ROS."""
