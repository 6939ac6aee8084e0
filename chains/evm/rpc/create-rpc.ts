/**
 * Joins all endpoints of a network: the first that works answers, and the others take over when it does not.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { UnusableNode } from '../../guard-node.js'
import { type NodeReport, reportNode } from '../../node-report.js'
import type { Patience } from '../../patience.js'
import { type Answers, createEndpoint, type Endpoint } from './create-endpoint.js'
import type { RpcAnswer, RpcCall } from './rpc-call.js'
import { AskedTooMuch, EndpointFailure, RpcError, UnsettledAnswers } from './rpc-error.js'

interface AskOptions<T> {
  /**
   * Condition on the answer. While it fails, further endpoints are asked too (one behind the others knows
   * less); the last value is returned.
   */
  readonly until?: (value: T) => boolean
  /** Whether `AskedTooMuch` is thrown at once, because the caller can ask for less. */
  readonly divisible?: boolean
  /** Wait for an answer that cannot be divided. It learns whether the wait was long enough. */
  readonly patience?: Patience
}

export interface Rpc {
  /** Usual time of a batch, in milliseconds. */
  readonly timeoutMs: number
  /**
   * Sends a batch to one endpoint and reads its answers. `read` may throw EndpointFailure (another endpoint
   * is asked) or UnsettledAnswers (the same one is asked again).
   *
   * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if no endpoint can serve it; AskedTooMuch if
   * divisible.
   */
  ask<T>(calls: readonly RpcCall[], read: (answers: Answers) => T, options?: AskOptions<T>): Promise<T>
  /** Sends one call to every endpoint at once. An endpoint without an answer gives its failure. */
  askAll(call: RpcCall): readonly Promise<RpcAnswer | EndpointFailure>[]
  /**
   * Returns whether any endpoint has a method. @throws KeyturnError `DEPENDENCY_UNAVAILABLE` if that cannot
   * be known now.
   */
  supports(call: RpcCall): Promise<boolean>
  /** Checks every endpoint now, whether or not it is in use. */
  inspect(): Promise<NodeReport[]>
  close(): Promise<void>
}

export interface RpcOptions {
  /** Milliseconds in which a batch must be answered. Default 20,000. */
  readonly timeoutMs?: number
  /** Receives each endpoint that failed, without credentials, for logs and health. */
  readonly onEndpointFailure?: (endpoint: string, reason: string) => void
}

const DEFAULT_TIMEOUT_MS = 20_000
// A reorg between the calls of one batch is over within milliseconds. A node whose answers still disagree is
// left.
const UNSETTLED_ATTEMPTS = 4
const UNSETTLED_PAUSE_MS = 50

/** Opens the endpoints of a network, in the order of its configuration. */
export function createRpc(network: EvmNetwork, options: RpcOptions = {}): Rpc {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const endpoints = network.rpcUrls.map((url, index) =>
    createEndpoint(url, `endpoint ${index + 1} of ${network.name}`, network, timeoutMs),
  )

  function leave(endpoint: Endpoint, error: Error): void {
    endpoint.failed()
    options.onEndpointFailure?.(endpoint.label, error.message)
  }

  /**
   * Makes the error. @param unusable - Why endpoints that answer are not used, which lasts until a person
   * acts.
   */
  function unavailable(reasons: readonly string[], unusable: readonly string[] = []): KeyturnError {
    const why = unusable.length === 0 ? '' : `: ${unusable.join('; ')}`
    return new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `No RPC endpoint of ${network.name} can serve the request now; it will be tried again${why}`,
      { details: { network: network.name, reasons }, retryable: true },
    )
  }

  return {
    timeoutMs,

    async ask(calls, read, { until, divisible, patience } = {}) {
      const waitMs = patience?.ms()
      const reasons: string[] = []
      const unusable: string[] = []
      let last: { value: ReturnType<typeof read> } | null = null
      for (const endpoint of inOrder(endpoints)) {
        try {
          const value = await readSettled(endpoint, calls, read, waitMs)
          patience?.answered()
          if (!until || until(value)) return value
          last = { value }
        } catch (error) {
          if (error instanceof AskedTooMuch && divisible) throw error
          if (!isAboutEndpoint(error)) throw error
          if (error instanceof AskedTooMuch && waitMs !== undefined) patience?.exceeded(waitMs)
          leave(endpoint, error)
          reasons.push(`${endpoint.label}: ${error.message}`)
          if (error instanceof UnusableNode) unusable.push(`${endpoint.label}: ${error.message}`)
        }
      }
      if (last) return last.value
      throw unavailable(reasons, unusable)
    },

    askAll: (call) =>
      endpoints.map(async (endpoint) => {
        try {
          return (await endpoint.send([call])).answers[0]
        } catch (error) {
          if (!isAboutEndpoint(error)) throw error
          leave(endpoint, error)
          return new EndpointFailure(`${endpoint.label}: ${error.message}`)
        }
      }),

    async supports(call) {
      const answers = await Promise.all(this.askAll(call))
      const answered = answers.filter((answer) => !(answer instanceof EndpointFailure))
      if (answered.some((answer) => !(answer instanceof RpcError && answer.unsupported))) return true
      const silent = answers.filter((answer) => answer instanceof EndpointFailure)
      // An outage is not a "no", so the question is asked again.
      if (silent.length > 0) throw unavailable(silent.map((failure) => failure.message))
      return false
    },

    inspect: () =>
      Promise.all(
        endpoints.map((endpoint, index) =>
          reportNode(index + 1, async () => {
            try {
              await endpoint.examine()
            } catch (error) {
              // An endpoint that is refused now is not used from now on, although it passed before.
              if (isAboutEndpoint(error)) leave(endpoint, error)
              throw error
            }
          }),
        ),
      ),

    async close() {
      await Promise.all(endpoints.map((endpoint) => endpoint.close()))
    },
  }
}

/**
 * Returns the working endpoints by preference, then the resting ones, the soonest rested first. Without
 * others they are tried too.
 */
function inOrder(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const now = Date.now()
  const rest = (endpoint: Endpoint) => Math.max(0, endpoint.restingUntil() - now)
  return [...endpoints].sort((a, b) => rest(a) - rest(b))
}

async function readSettled<T>(
  endpoint: Endpoint,
  calls: readonly RpcCall[],
  read: (answers: Answers) => T,
  waitMs: number | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const answers = await endpoint.send(calls, waitMs)
    try {
      return read(answers)
    } catch (error) {
      if (!(error instanceof UnsettledAnswers) || attempt === UNSETTLED_ATTEMPTS) throw error
      await sleep(UNSETTLED_PAUSE_MS * attempt)
    }
  }
}

function isAboutEndpoint(error: unknown): error is Error {
  return (
    error instanceof EndpointFailure ||
    error instanceof AskedTooMuch ||
    error instanceof UnsettledAnswers ||
    error instanceof UnusableNode
  )
}
