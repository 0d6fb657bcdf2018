"""The model server: answers over HTTP what a published policy does for what it sees. Reads policy.json and model.onnx,
and needs neither TensorFlow nor torch."""
