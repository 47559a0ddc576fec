"""From a torch model to one ONNX file, and the places where it can be cut."""
