"""What language models may ask of this program: tools and texts by the Model Context Protocol."""
