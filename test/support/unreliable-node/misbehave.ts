/** Has a node misbehave in every way, in an order and for times that a seed decides. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../fault/random.js'
import { MISBEHAVIOURS, type Misbehaviour, type UnreliableNode } from './start-unreliable-node.js'

export interface Plan {
  /** Milliseconds between two ways: a network with no other node needs such times to get on. */
  readonly honestMs: readonly [number, number]
  /** Comes next, before the rest of the round; whoever sees that it would hurt most now adds to it. */
  readonly wishes: Misbehaviour[]
  /** Called while it misbehaves. */
  readonly meanwhile: (behaviour: Misbehaviour) => Promise<void>
}

const BAD_MS = [1_500, 3_000] as const
/** An index that lags for so many blocks that a payment looks lost, to whom asks for nothing else. */
const FORGETFUL_MS = [6_000, 9_000] as const

/**
 * Goes on until it is aborted, and through all of them once at least; then the node is honest. Each way comes once before one of
 * them comes again, but for wishes.
 */
export async function misbehave(
  node: UnreliableNode,
  random: Random,
  { honestMs, wishes, meanwhile }: Plan,
  until: AbortSignal,
): Promise<void> {
  const round: Misbehaviour[] = []
  for (let turn = 0; turn < MISBEHAVIOURS.length || !until.aborted; turn += 1) {
    if (round.length === 0) round.push(...random.shuffled(MISBEHAVIOURS))
    const wish = until.aborted ? undefined : wishes.shift()
    const behaviour = wish ?? round.shift() ?? 'lagging'
    if (wish) turn -= 1
    const [least, most] = behaviour === 'forgetful' ? FORGETFUL_MS : BAD_MS
    node.behave(behaviour)
    await Promise.all([sleep(random.between(least, most)), meanwhile(behaviour)])
    node.behave('honest')
    await sleep(random.between(...honestMs))
  }
}
