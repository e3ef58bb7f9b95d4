// Server-sent events out of a response's body. EventSource cannot send the visitor's header.

// Calls `onEvent(payload)` with each event's JSON and `onLife()` with everything that arrives; resolves
// at the stream's end, and rejects where it breaks off.
export async function readEvents(body, onEvent, onLife = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onLife();
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data: "));
      if (lines.length) onEvent(JSON.parse(lines.map((line) => line.slice(6)).join("\n")));
    }
  }
}
