"""The EC2 Query protocol, driven by botocore's model, and nothing about networks."""
