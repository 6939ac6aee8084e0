/** Keeps the order of runs, so that a refusal leaves no gap below nonces that are signed. */

import type { RequestReading } from './parse-request.js'

interface Run {
  /** Account of its requests, and the highest nonce so far. `null` before the first. */
  account: string | null
  nonce: number
  isStopped: boolean
}

/**
 * Runs of one claim. A run is requests of one EVM account with ascending nonces, in the order of the claim.
 * It ends at the first request that is refused, that gets no answer, or that is not of this order. The
 * signer gives back what comes behind it, undecided.
 */
export class Runs {
  readonly #runs = new Map<string, Run>()

  /** Returns whether a new decision may be taken: the run goes on, and the request is in its order. */
  admits(id: string, reading: RequestReading): boolean {
    const run = this.#find(id)
    if ('request' in reading && reading.request.payload.family === 'evm') {
      const { chain_id, from, nonce } = reading.request.payload
      const account = `${chain_id}/${from.toLowerCase()}`
      if (run.account !== null && (run.account !== account || nonce <= run.nonce)) run.isStopped = true
      run.account = account
      run.nonce = Math.max(run.nonce, nonce)
    }
    return !run.isStopped
  }

  /** Ends a run. */
  stop(id: string): void {
    this.#find(id).isStopped = true
  }

  #find(id: string): Run {
    const run = this.#runs.get(id) ?? { account: null, nonce: -1, isStopped: false }
    this.#runs.set(id, run)
    return run
  }
}

/** Most characters of a run's id. */
const MAX_ID = 128

/**
 * Returns the run that the platform names in a request. `null` for a request outside of runs, as every one
 * without a nonce is.
 */
export function runOf(request: unknown): string | null {
  if (typeof request !== 'object' || request === null || !('run' in request)) return null
  const { run } = request
  if (typeof run !== 'string' || run.length === 0 || run.length > MAX_ID) return null
  const payload = 'payload' in request ? request.payload : null
  const isUtxo =
    typeof payload === 'object' && payload !== null && 'family' in payload && payload.family === 'utxo'
  return isUtxo ? null : run
}
