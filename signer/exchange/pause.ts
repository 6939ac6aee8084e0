/** Pauses between attempts, each longer than the last, and at most until the process is to stop. */

const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 15_000

/** Returns how long to wait after so many failures in a row. */
export function backoff(failures: number): number {
  const wait = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10))
  return Math.round(wait * (0.5 + Math.random() / 2))
}

/** Resolves after a time, or when `signal` aborts. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
