/** Closes the month by two people, while the workers that close it are killed. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Period } from '../../../wire/period.js'
import { approve } from '../approve.js'
import type { Random } from '../random.js'
import type { Shop } from './open-shop.js'
import { until } from './until.js'

/** Longest pause before each of the two kills. The close takes some seconds. */
const LONGEST_PAUSE_MS = 1_500

/**
 * Asks for the close, approves it, and kills both workers one after the other while its reconciliation and its last
 * step are under way. @returns The period when it is closed or open again.
 */
export async function closeMonth(shop: Shop, period: string, random: Random): Promise<Period> {
  const { client, stack } = shop
  await client.periods.close(period)
  const hash = (await client.periods.get(period)).hash
  const killed = killWorkers(shop, random)
  await approve(stack.facts(), 'periods', period, [0, 0])
  const ended = await until('The month is not closed', async () => {
    const found = await client.periods.get(period)
    return found.status === 'closing' ? null : found
  })
  console.log(`Workers ${(await killed).join(' and ')} were killed during the close`)
  if (ended.status === 'closed' && ended.hash !== hash)
    throw new Error('Other figures were closed than asked for')
  return ended
}

/** Kills two workers. The supervisor lists one that it has started again last, so it is not the second. */
async function killWorkers({ stack }: Shop, random: Random): Promise<number[]> {
  const pids: number[] = []
  for (let worker = 0; worker < 2; worker++) {
    await sleep(random.between(0, LONGEST_PAUSE_MS))
    pids.push(await stack.kill('longest running worker'))
  }
  return pids
}
