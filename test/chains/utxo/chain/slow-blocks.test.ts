/** Fetches blocks that take too long together in smaller numbers. */

import { expect, test } from 'vitest'
import { createBlockReader } from '../../../../chains/utxo/chain/read-blocks.js'
import type { Rpc } from '../../../../chains/utxo/rpc/create-rpc.js'
import { KeyturnError } from '../../../../domain/errors.js'
import { testNetwork } from '../test-network.js'

/** Bitcoin's genesis block. */
const BLOCK =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000'
const HASH = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'

/** A node that needs so many milliseconds for each block; time itself does not pass. */
function slowNode(msPerBlock: number, asked: [blocks: number, ms: number][]): Rpc {
  const rpc: Pick<Rpc, 'network' | 'timeoutMs' | 'batch'> = {
    network: 'bitcoin',
    timeoutMs: 1_000,
    async batch(method, paramsList, result, options = {}) {
      const answers = (value: string) => paramsList.map(() => result.parse(value))
      if (method === 'getblockhash') return answers(HASH)
      const ms = options.timeoutMs ?? 1_000
      asked.push([paramsList.length, ms])
      if (paramsList.length * msPerBlock <= ms) return answers(BLOCK)
      options.onTooLate?.()
      throw new KeyturnError('DEPENDENCY_UNAVAILABLE', 'No bitcoin node answers', { retryable: true })
    },
  }
  return rpc as Rpc
}

test('requests fewer blocks after a time-out, and waits longer for one that still takes too long', async () => {
  const asked: [number, number][] = []
  const read = createBlockReader(slowNode(3_500, asked), testNetwork())
  let blocks: { height: number }[] = []
  for (let attempt = 0; attempt < 12 && blocks.length === 0; attempt++) {
    blocks = await read(5, 12).catch(() => [])
  }
  expect(blocks.map((block) => block.height)).toEqual([5])
  expect(asked).toEqual([
    [8, 1_000],
    [4, 1_000],
    [2, 1_000],
    [1, 1_000],
    [1, 2_000],
    [1, 4_000],
  ])
})
