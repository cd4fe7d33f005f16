// Server-sent events, read from a fetch: EventSource cannot send a token.

/** The data of each event in a stream of texts, as they arrive; null for a comment, which is a sign of life. */
export async function* events(chunks) {
  const data = [];
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      else if (line.startsWith(':')) yield null;
      else if (line === '' && data.length) yield data.splice(0).join('\n');
    }
  }
}

/** The texts of a response's body. A reader, not `for await`: not every browser iterates over streams. */
export async function* texts(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
