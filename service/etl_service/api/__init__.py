"""The service: a pipeline's rows, runs and previews over REST."""
