"""
What is wrong with a robot, and what to do: :mod:`.files`, :mod:`.computer`, :mod:`.network`.

Each check gives findings; :mod:`.heard` holds what the network said, which a node listens to.
"""
