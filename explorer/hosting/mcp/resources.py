"""Texts that clients may read: what the doctor's findings mean, and the glossary."""

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.exceptions import McpError
from mcp.types import INVALID_PARAMS, ErrorData, Resource, ResourceTemplate
from pydantic import AnyUrl

from explorer.doctor.explanations import EXPLANATIONS
from explorer.views.glossary import glossary_text

SCHEME = "sampler-explorer://"
GLOSSARY, FINDINGS = f"{SCHEME}glossary", f"{SCHEME}findings"
MARKDOWN = "text/markdown"


def resources() -> list[Resource]:
    """All texts, of the findings the whole list."""
    return [
        Resource(
            uri=AnyUrl(GLOSSARY),
            name="glossary",
            title="Glossary",
            description="The words of samplers and schedules, as the tools use them.",
            mimeType=MARKDOWN,
        ),
        Resource(
            uri=AnyUrl(FINDINGS),
            name="findings",
            title="What the doctor's findings mean",
            description="Every finding of the tool examine by its code, explained.",
            mimeType=MARKDOWN,
        ),
    ]


def templates() -> list[ResourceTemplate]:
    """One finding alone."""
    return [
        ResourceTemplate(
            uriTemplate=f"{FINDINGS}/{{code}}",
            name="finding",
            title="What one finding means",
            description=f"The explanation of one finding; codes are {', '.join(EXPLANATIONS)}.",
            mimeType=MARKDOWN,
        )
    ]


def read(uri: str) -> list[ReadResourceContents]:
    """A text by its address; raises McpError, with a sentence, for any other address."""
    if uri == GLOSSARY:
        text = glossary_text()
    elif uri == FINDINGS:
        text = "\n".join(f"- **{code}**: {text}" for code, text in EXPLANATIONS.items())
    elif (code := uri.removeprefix(f"{FINDINGS}/")) in EXPLANATIONS:
        text = EXPLANATIONS[code]
    else:
        sentence = f"There is no text {uri[:100]!r}; there are {GLOSSARY} and {FINDINGS}."
        raise McpError(ErrorData(code=INVALID_PARAMS, message=sentence))
    return [ReadResourceContents(content=text, mime_type=MARKDOWN)]
