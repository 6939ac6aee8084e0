/** Has a node misbehave in every way, in an order and for times that a seed decides. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../fault/random.js'
import { MISBEHAVIOURS, type Misbehaviour, type UnreliableNode } from './start-unreliable-node.js'

export interface Plan {
  /** Milliseconds between two ways, at least. */
  readonly honestMs: readonly [number, number]
  /** Comes next, before the rest of the round; a test that sees when it would hurt most adds to it. */
  readonly wishes: Misbehaviour[]
  /** Called while it misbehaves. */
  readonly meanwhile: (behaviour: Misbehaviour) => Promise<void>
  /** Settles when callers know what the honest node knows; it stays honest until then, however slow the machine is. */
  readonly recovered: () => Promise<void>
}

const BAD_MS = [1_500, 3_000] as const
/** An index that lags for so many blocks that a payment looks lost, to whom asks for nothing else. */
const FORGETFUL_MS = [6_000, 9_000] as const
/** Answers that were not the truth; a node that failed is left alone for a while, and then it deceives no caller. */
const ENOUGH_LIES = 2
/** After this it no longer waits for a caller: where another node serves, or no transaction is looked for, none may come. */
const UNHEARD_MS = 12_000

/**
 * Goes on until it is aborted, and through all of them once at least; then the node is honest. Each way comes once before one of
 * them comes again, but for wishes, and lasts until callers were deceived.
 */
export async function misbehave(
  node: UnreliableNode,
  random: Random,
  { honestMs, wishes, meanwhile, recovered }: Plan,
  until: AbortSignal,
): Promise<void> {
  const round: Misbehaviour[] = []
  for (let turn = 0; turn < MISBEHAVIOURS.length || !until.aborted; turn += 1) {
    if (round.length === 0) round.push(...random.shuffled(MISBEHAVIOURS))
    const wish = until.aborted ? undefined : wishes.shift()
    const behaviour = wish ?? round.shift() ?? 'lagging'
    if (wish) turn -= 1
    const [least, most] = behaviour === 'forgetful' ? FORGETFUL_MS : BAD_MS
    const before = node.lies()[behaviour]
    const heardBy = Date.now() + UNHEARD_MS
    const untilHeard = async () => {
      do {
        node.behave(behaviour)
        await sleep(random.between(least, most))
      } while (node.lies()[behaviour] - before < ENOUGH_LIES && Date.now() < heardBy)
    }
    await Promise.all([untilHeard(), meanwhile(behaviour)])
    node.behave('honest')
    await Promise.all([sleep(random.between(...honestMs)), recovered()])
  }
}
