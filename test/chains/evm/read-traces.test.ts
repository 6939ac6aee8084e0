/** Reads internal transfers from traces. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { groupTraces, nativeMovements } from '../../../chains/evm/scan/read-traces.js'

const HASH = `0x${'ab'.repeat(32)}`
const TXID = `0x${'01'.repeat(32)}`

interface Call {
  readonly kind: 'call' | 'delegatecall' | 'staticcall' | 'callcode' | 'suicide' | 'create'
  readonly value: number
  readonly failed: boolean
  readonly inner: readonly Call[]
}

const { tree } = fc.letrec<{ tree: Call }>((tie) => ({
  tree: fc.record({
    kind: fc.constantFrom('call', 'call', 'delegatecall', 'staticcall', 'callcode', 'suicide', 'create'),
    value: fc.nat(5),
    failed: fc.boolean(),
    inner: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant([]),
      fc.array(tie('tree'), { maxLength: 4 }),
    ),
  }),
}))

const account = (address: readonly number[], end: string) =>
  `0x${Buffer.from([...address.map((step) => step + 1), address.length])
    .toString('hex')
    .padStart(38, '0')}${end}`

/** Traces as a node would list them, and the movements by a plain reading of the tree. */
function flatten(
  call: Call,
  address: readonly number[],
  undone: boolean,
  traces: unknown[],
  moved: unknown[],
) {
  const from = account(address, 'aa')
  const to = account(address, 'bb')
  const value = `0x${call.value.toString(16)}`
  const gone = undone || call.failed
  const index = address.length === 0 ? 0 : 1_000_000 + traces.length
  traces.push({
    blockHash: HASH,
    transactionHash: TXID,
    traceAddress: address,
    type: call.kind === 'suicide' || call.kind === 'create' ? call.kind : 'call',
    action:
      call.kind === 'suicide'
        ? { address: from, refundAddress: to, balance: value }
        : call.kind === 'create'
          ? { from, value }
          : { callType: call.kind, from, to, value },
    ...(call.failed ? { error: 'Reverted' } : {}),
  })
  if (!gone && (call.kind === 'suicide' || (call.kind === 'call' && call.value > 0)))
    moved.push({ index, from, to, amount: BigInt(call.value) })
  for (const [position, inner] of call.inner.entries())
    flatten(inner, [...address, position], gone, traces, moved)
}

test('moves only what took effect, for random trees of calls and orders of the node', () => {
  fc.assert(
    fc.property(tree, fc.infiniteStream(fc.nat()), (root, order) => {
      const traces: unknown[] = []
      const moved: unknown[] = []
      flatten(root, [], false, traces, moved)
      const shuffled = traces
        .map((trace) => ({ trace, key: order.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ trace }) => trace)
      for (const listed of [traces, shuffled])
        expect(nativeMovements(groupTraces(listed, HASH).get(TXID) ?? [])).toEqual(moved)
    }),
    { numRuns: 500 },
  )
})

test('refuses traces of another block, and gives rewards to no transaction', () => {
  const reward = { blockHash: HASH, type: 'reward', action: {}, traceAddress: [], transactionHash: null }
  expect(groupTraces([reward], HASH).size).toBe(0)
  expect(() => groupTraces([reward], `0x${'cd'.repeat(32)}`)).toThrow('traces of another block')
})

test('refuses traces without their root', () => {
  const traces: unknown[] = []
  flatten({ kind: 'call', value: 1, failed: false, inner: [] }, [0], false, traces, [])
  expect(() => nativeMovements(groupTraces(traces, HASH).get(TXID) ?? [])).toThrow('without their root')
})
