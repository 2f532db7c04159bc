// The camera of the server: server-sent events, read with fetch, for EventSource sends no token.
const SILENCE = 15000; // the server gives a sign of life every 5 s
const MOST_TEXT = 1 << 26;

// -> {type, data} of each event, until the server ends or `signal` says so. Read no faster than they are shown: the
// server leaves out those in between.
export async function* events(fetched, address, signal) {
  const silent = new AbortController();
  const stop = () => silent.abort();
  signal.addEventListener("abort", stop);
  let timer = setTimeout(stop, SILENCE), text = "";
  try {
    const response = await fetched(address, { signal: silent.signal, cache: "no-store" });
    if (!response.ok) throw Object.assign(new Error((await response.json()).error), { busy: response.status === 429 });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE);
      text += value;
      if (text.length > MOST_TEXT) throw new Error("The server sends something else than pictures.");
      const whole = text.split("\n\n");
      text = whole.pop();
      for (const event of whole.map(parsed)) if (event) yield event;
    }
  } finally {
    clearTimeout(timer);
    stop();
    signal.removeEventListener("abort", stop);
  }
}

function parsed(text) {
  const fields = Object.fromEntries(text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
  return fields.event && { type: fields.event, data: JSON.parse(fields.data) };
}

export function bitmapOf({ jpeg }) {
  const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
}
