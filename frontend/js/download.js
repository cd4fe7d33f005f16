// A file out of an answer that a link could not ask for.

/** Save a response's body under a name. With `isJoined`, lines of JSON become one array. */
export async function save(response, name, isJoined) {
  const body = isJoined
    ? response.body.pipeThrough(new TextDecoderStream()).pipeThrough(joinedLines()).pipeThrough(new TextEncoderStream())
    : response.body;
  const address = URL.createObjectURL(await new Response(body).blob());
  const link = Object.assign(document.createElement('a'), { href: address, download: name });
  link.click();
  // Not at once: the browser may not have begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Texts of lines into texts of an array: in JSON, a line break is never within a line. */
export function joinedLines() {
  let isFirst = true;
  let rest = '';
  return new TransformStream({
    start: (out) => out.enqueue('['),
    transform(text, out) {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      if (!lines.length) return;
      out.enqueue((isFirst ? '\n' : ',\n') + lines.join(',\n'));
      isFirst = false;
    },
    flush: (out) => out.enqueue('\n]\n'),
  });
}
