/** Replays events to a webhook endpoint, however many they are. */

import {
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { ReplayStep, WebhookReplayActivities } from '../activities/events/webhook-replay.js'
import type { WebhookReplayInput } from '../temporal/inputs.js'

/** Read the replay again, because its row or its endpoint has changed. */
const look = defineSignal('look')

/** Longest time of an activity. Each returns by itself after about 20 s, or when it has counted a large window. */
const START_TO_CLOSE = '10m'
/** Time after which a worker that died is noticed. */
const HEARTBEAT_TIMEOUT = '15s'

/**
 * Advances a replay until it ends. The row in Postgres holds how far it is, so that a run which was started or
 * signalled once too often does no harm, and one that begins again sends nothing a second time.
 */
export async function webhookReplay(
  input: WebhookReplayInput,
): Promise<Extract<ReplayStep, { kind: 'ended' }>['status']> {
  const { advanceWebhookReplay } = proxyActivities<WebhookReplayActivities>({
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
  for (;;) {
    looked = false
    const step = await advanceWebhookReplay(input.id)
    setCurrentDetails(step.progress)
    if (step.kind === 'ended') {
      // A signal during the activity changes nothing: a replay that has ended stays so.
      return step.status
    }
    if (step.retryInMs > 0) await condition(() => looked, step.retryInMs, { summary: 'Next check' })
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof webhookReplay>(input)
  }
}
