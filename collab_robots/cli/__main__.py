"""``python -m collab_robots.cli`` does what ``collab-robots`` does."""

from collab_robots.cli import main

main()
