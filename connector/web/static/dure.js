// A page whose living part names an address for events is asked for again, by htmx, when the node says that something
// changed: at most twice a second, and not while nobody looks (a hidden tab gives its connection back).
"use strict";

const part = () => document.getElementById("live");
let source = null;
let waiting = null;

function refresh() {
  waiting ??= setTimeout(() => {
    waiting = null;
    part().dispatchEvent(new CustomEvent("changed"));
  }, 500);
}

function listen() {
  source?.close();
  source = null;
  if (document.hidden) return;
  source = new EventSource(part().dataset.events);
  source.onmessage = refresh;
  source.addEventListener("entry", refresh);
  // Closed for good: perhaps the session ended. Asking for the page again shows why.
  source.onerror = () => source?.readyState === EventSource.CLOSED && refresh();
}

if (part()?.dataset.events) {
  listen();
  addEventListener("pagehide", () => source?.close());
  document.addEventListener("visibilitychange", () => {
    listen();
    if (!document.hidden) refresh();
  });
}
