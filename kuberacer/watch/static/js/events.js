// Server-sent events that come back by themselves, and the word in the header that says how the connection is.

const WAIT_MS = [500, 1000, 2000, 5000];
const TEXTS = { live: "Live", lost: "Connection lost, reconnecting …", away: "Paused", "": "" };

/** "": the page needs no connection. */
export function say(state) {
  const place = document.getElementById("link");
  if (state) place.dataset.state = state;
  else delete place.dataset.state;
  if (place.textContent !== TEXTS[state]) place.textContent = TEXTS[state];
}

/**
 * Calls handlers[event](data) for each event of a stream until the signal aborts.
 *
 * The browser reconnects with Last-Event-ID while it can; where it gives up (the server answered with an error), a new
 * stream is opened. A hidden page holds no stream: a browser has six connections to a host, and nobody looks.
 */
export function listen(address, handlers, signal) {
  let source = null;
  let timer = 0;
  let failures = 0;

  function open() {
    source = new EventSource(`/api/${address}`);
    source.onopen = () => { failures = 0; say("live"); };
    source.onerror = () => {
      say("lost");
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, WAIT_MS[Math.min(failures, WAIT_MS.length - 1)]);
      failures += 1;
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function looked() {
    if (document.hidden) {
      close();
      say("away");
    } else if (!source) open();
  }

  document.addEventListener("visibilitychange", looked, { signal });
  signal.addEventListener("abort", () => { close(); say(""); });
  looked();
}
