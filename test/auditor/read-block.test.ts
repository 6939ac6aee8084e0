/** Reads blocks of real nodes by the auditor's own parser, and proves them by their hashes. */

import { Transaction } from 'bitcoinjs-lib'
import { expect, test } from 'vitest'
import { readBlock } from '../../auditor/utxo/read-block.js'
import { testBtcd } from '../support/btcd.js'

test('reads what another library reads, and refuses every changed byte of the header and the transactions', async () => {
  const node = await testBtcd({ mature: 2 })
  try {
    await node.fund('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080', 123_456_789n)
    const [hash = ''] = await node.mine(1)
    const bytes = Buffer.from(String(await node.call('getblock', hash, 0)), 'hex')
    const block = readBlock(bytes, hash)
    const verbose = (await node.call('getblock', hash, 1)) as { previousblockhash: string; tx: string[] }
    expect(block.parentHash).toBe(verbose.previousblockhash)
    const others = await Promise.all(
      verbose.tx.map(async (txid) => {
        const other = Transaction.fromHex(String(await node.call('getrawtransaction', txid, 0)))
        return other.outs.map(({ script, value }, vout) => ({
          txid,
          vout,
          amount: value,
          script: Buffer.from(script).toString('hex'),
        }))
      }),
    )
    expect(block.outputs).toEqual(others.flat())
    expect(block.spends).toHaveLength(1)
    expect(block.outputs.map(({ amount }) => amount)).toContain(123_456_789n)

    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      // Witnesses are not part of a transaction's id, and nothing that the books hold depends on them.
      try {
        const read = readBlock(changed, hash)
        expect(read).toEqual(block)
      } catch (error) {
        expect(error).toMatchObject({ code: 'NODE_ANSWERS_WRONG' })
      }
    }
    for (const cut of [10, 81, bytes.length - 5]) {
      expect(() => readBlock(bytes.subarray(0, cut), hash)).toThrow(/gave something else/)
    }
  } finally {
    await node.stop()
  }
})
