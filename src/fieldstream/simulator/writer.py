"""What the provider writes when nobody tells it what to say."""
