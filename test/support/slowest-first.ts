/** The order of a run: the slowest files begin, so that none of them runs alone at the end. */

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The slowest files of the lists that runs end with, a minute or more each. The order matters little. */
export const SLOWEST = [
  'payouts/withdrawals/parallel-evm',
  'payouts/withdrawals/parallel-utxo',
  'workflows/withdrawal-expiry',
  'payouts/movements/consolidation-evm',
  'fault/crash-points/withdrawal',
  'db/chain/reorg-property',
  'workflows/withdrawal-evm',
  'workflows/replacement-evm',
]

/** Runs the slowest files first, and the others as Vitest does. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSlow = ({ moduleId }: TestSpecification) =>
      SLOWEST.some((name) => moduleId.endsWith(`/test/${name}.test.ts`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))]
  }
}
