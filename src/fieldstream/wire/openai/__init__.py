"""OpenAI's two ways to answer: chat completions, and responses; streamed and not.

The formats are those of OpenAI's API reference (https://platform.openai.com/docs/api-reference), as its official Python
client reads them.
"""
