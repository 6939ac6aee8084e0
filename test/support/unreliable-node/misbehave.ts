/** Makes a node misbehave in every way, in an order and for times that a seed decides. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../fault/random.js'
import { MISBEHAVIOURS, type Misbehaviour, type UnreliableNode } from './start-unreliable-node.js'

export interface Plan {
  /** Least and greatest time between two ways, in milliseconds. */
  readonly honestMs: readonly [number, number]
  /**
   * Ways that come next, before the rest of the round. A test adds a way at the moment at which it hurts
   * most.
   */
  readonly wishes: Misbehaviour[]
  /** Runs while the node misbehaves. */
  readonly meanwhile: (behaviour: Misbehaviour) => Promise<void>
  /**
   * Settles when callers know what the honest node knows. The node stays honest until then, on a slow machine
   * too.
   */
  readonly recovered: () => Promise<void>
}

const BAD_MS = [1_500, 3_000] as const
/** Time that an index lags: so many blocks that a payout looks lost to a caller that checks nothing else. */
const FORGETFUL_MS = [6_000, 9_000] as const
/**
 * Wrong answers before a way may end. Callers leave a node that failed alone for a while, and then it
 * deceives none.
 */
const ENOUGH_LIES = 2
/**
 * Time after which a way ends without a caller: none may come where another node serves or no transaction is
 * searched.
 */
const UNHEARD_MS = 12_000

/**
 * Goes on until it is aborted, but at least once through all ways; then the node is honest. Each way comes
 * once before any comes again, except wishes, and lasts until it has deceived callers.
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
