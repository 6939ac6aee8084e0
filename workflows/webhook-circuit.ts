/**
 * Keeps an endpoint that does not work from costing anything: it probes it once an interval, and sends what waits,
 * in order, when it works again.
 */

import {
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { CircuitStep, WebhookCircuitActivities } from '../activities/events/webhook-circuit.js'
import { assertNever } from '../domain/assert-never.js'
import type { WebhookCircuitInput } from '../temporal/inputs.js'

/** Read the circuit again, because its row has changed. */
export const look = defineSignal('look')

/** Longest time of an activity. Each returns by itself after about 20 s and one attempt. */
const START_TO_CLOSE = '5m'
/** Time after which a worker that died is noticed. */
const HEARTBEAT_TIMEOUT = '15s'
/** Time for which new deliveries may keep the circuit half open, if the backlog took less. */
const LEAST_CATCH_UP_MS = 30_000

/**
 * Serves a circuit until it is closed. The row in Postgres holds the state, so that a run which was started or
 * signalled once too often does no harm.
 */
export async function webhookCircuit(input: WebhookCircuitInput): Promise<'closed'> {
  const { probeEndpoint, drainEndpoint, wakeDeliveries } = proxyActivities<WebhookCircuitActivities>({
    startToCloseTimeout: START_TO_CLOSE,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { maximumInterval: '30s' },
    summary: input.title,
    priority: { fairnessKey: input.endpointId },
  })
  let looked = false
  setHandler(look, () => {
    looked = true
  })
  /** Start of the drain, and the time at which the backlog was sent. `null` if that has not come. */
  let drainedSince: number | null = null
  let caughtUpAt: number | null = null

  const drain = async (): Promise<CircuitStep> => {
    const now = Date.now()
    drainedSince ??= now
    // New deliveries may come faster than one at a time can be sent. Their own workflows send them side by side.
    const hurry =
      caughtUpAt !== null && now - caughtUpAt > Math.max(caughtUpAt - drainedSince, LEAST_CATCH_UP_MS)
    const [step] = await Promise.all([
      drainEndpoint(input.endpointId, hurry),
      wakeDeliveries(input.endpointId),
    ])
    if (step.kind !== 'half_open') {
      drainedSince = null
      caughtUpAt = null
    } else if (!step.backlog) {
      caughtUpAt ??= Date.now()
    }
    return step
  }

  let step: CircuitStep | null = null
  for (;;) {
    looked = false
    step ??= await probeEndpoint(input.endpointId)
    switch (step.kind) {
      case 'half_open':
        setCurrentDetails(
          `The endpoint works again since ${step.since}. What waited is sent in the order of the events`,
        )
        step = await drain()
        break
      case 'open':
        await wakeDeliveries(input.endpointId)
        setCurrentDetails(describeOpen(step))
        await condition(() => looked, Math.max(step.retryInMs, 1), { summary: 'Next probe' })
        step = null
        break
      case 'closed': {
        setCurrentDetails('The circuit is closed. The workflows of its deliveries are woken')
        const more = await wakeDeliveries(input.endpointId)
        if (!more && !looked) {
          setCurrentDetails('The circuit is closed')
          return 'closed'
        }
        step = null
        break
      }
      default:
        return assertNever(step)
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof webhookCircuit>(input)
  }
}

function describeOpen({ since, retryInMs, error }: Extract<CircuitStep, { kind: 'open' }>): string {
  const next = new Date(Date.now() + retryInMs).toISOString()
  return `Open since ${since}: the endpoint fails${error === null ? '' : ` (${error})`}. Next probe at ${next}`
}
