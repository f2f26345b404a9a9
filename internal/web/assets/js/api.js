// The JSON API as functions. Errors carry the server's own sentence.

export class ApiError extends Error {
  constructor(status, detail) {
    super(sentence(detail));
    this.status = status; // 0: no answer
  }
  // Whether the same request may succeed later: no answer, a server in trouble, or too many requests.
  get passing() {
    return this.status === 0 || this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

// sentence makes a problem's detail one: the API's begin small, as parts of a longer line.
function sentence(detail) {
  const text = String(detail);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// call sends one request and returns its JSON, or undefined when there is none.
export async function call(method, path, body, signal) {
  const answer = await send(`/api/v1${path}`, {
    method,
    signal,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return text ? JSON.parse(text) : undefined;
}

// send is fetch that throws an ApiError for every answer but a good one.
export async function send(url, options) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server doesn't answer.");
  }
  if (!answer.ok) throw new ApiError(answer.status, await problem(answer));
  return answer;
}

// problem reads application/problem+json.
async function problem(answer) {
  try {
    const { detail, title, errors } = await answer.json();
    const more = (errors ?? []).map((e) => e.message).filter((m) => m && !detail?.includes(m));
    return [detail ?? title, ...more].join(" ");
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

// patiently repeats work until it succeeds or fails for good; trouble is told of every failure, and of
// null once the answers are back.
export async function patiently(work, signal, trouble = () => {}) {
  for (let delay = 500; ; delay = Math.min(delay * 1.6, 5000)) {
    try {
      const result = await work();
      trouble(null);
      return result;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing) throw error;
      trouble(error);
      await sleep(delay, signal);
    }
  }
}

export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
