/** Replaces and cancels EVM transactions. */

import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EvmReplaceRequest, EvmReplaceResult } from '../../../chains/adapter.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'
import { type Lab, startLab } from './lab.js'

const GWEI = 10n ** 9n
const ETHER = 10n ** 18n
const ALICE = '0x00000000000000000000000000000000000A11cE'
const payer = privateKeyToAccount(`0x${'43'.repeat(32)}`)
let lab: Lab
beforeAll(async () => {
  lab = await startLab()
  await lab.anvil.call('anvil_setBalance', payer.address, '0x8ac7230489e80000')
  await lab.anvil.mine()
})
afterAll(() => lab?.stop())

const request = (changes: Partial<EvmReplaceRequest> = {}): EvmReplaceRequest => ({
  purpose: 'pay',
  from: payer.address,
  derivationPath: "m/44'/60'/2'/0/0",
  nonce: 0,
  call: { to: ALICE, value: '250', data: '0x', gas: '26250' },
  before: { maxFeePerGas: 40n * GWEI, maxPriorityFeePerGas: 2n * GWEI },
  priority: 'normal',
  feeLimit: ETHER / 100n,
  ...changes,
})

function built(result: EvmReplaceResult): { payload: EvmPayload; maxFee: bigint } {
  if (result.kind !== 'built') throw new Error(`${result.kind}: ${result.fee}`)
  return result
}

const sign = (payload: EvmPayload) =>
  payer.signTransaction({
    type: 'eip1559',
    chainId: payload.chain_id,
    nonce: payload.nonce,
    to: payload.to as Hex,
    value: BigInt(payload.value),
    data: payload.data as Hex,
    gas: BigInt(payload.gas),
    maxFeePerGas: BigInt(payload.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(payload.max_priority_fee_per_gas),
  })

test('keeps recipient, amount, gas and nonce, and raises both prices by an eighth', async () => {
  const { payload, maxFee } = built(await lab.adapter.replace(request()))
  expect(payload).toMatchObject({ to: ALICE, value: '250', data: '0x', gas: '26250', nonce: 0 })
  expect(BigInt(payload.max_fee_per_gas)).toBe(45n * GWEI)
  expect(BigInt(payload.max_priority_fee_per_gas)).toBe((2n * GWEI * 9n) / 8n)
  expect(maxFee).toBe(26_250n * 45n * GWEI)
})

test('makes a replacement that a node accepts, and a cancellation that replaces both', async () => {
  await lab.anvil.call('evm_setAutomine', false)
  const first = built(await lab.adapter.replace(request({ before: null }))).payload
  const second = built(
    await lab.adapter.replace(
      request({
        before: {
          maxFeePerGas: BigInt(first.max_fee_per_gas),
          maxPriorityFeePerGas: BigInt(first.max_priority_fee_per_gas),
        },
      }),
    ),
  ).payload
  const third = built(
    await lab.adapter.replace(
      request({
        purpose: 'cancel',
        before: {
          maxFeePerGas: BigInt(second.max_fee_per_gas),
          maxPriorityFeePerGas: BigInt(second.max_priority_fee_per_gas),
        },
      }),
    ),
  ).payload
  expect(third).toMatchObject({ to: payer.address, value: '0', data: '0x', nonce: 0 })
  for (const payload of [first, second, third]) {
    expect(await lab.adapter.broadcast(await sign(payload))).toEqual({ kind: 'accepted' })
  }
  // A node refuses one whose prices are not an eighth higher.
  const cheap = { ...second, value: '251' }
  expect(await lab.adapter.broadcast(await sign(cheap))).toMatchObject({ kind: 'rejected' })
  await lab.anvil.mine()
  const { txid } = lab.adapter.verifySigned(third, await sign(third))
  expect(await lab.adapter.outcome(txid)).toMatchObject({ kind: 'mined', succeeded: true })
  expect(await lab.adapter.balance(ALICE, 'eth')).toBe(0n)
})

test('reports the least fee if it is over the limit, or over the caps of the network', async () => {
  expect(await lab.adapter.replace(request({ feeLimit: 26_250n * 44n * GWEI }))).toEqual({
    kind: 'fee_too_high',
    fee: 26_250n * 45n * GWEI,
  })
  const dear = { maxFeePerGas: 480n * GWEI, maxPriorityFeePerGas: GWEI }
  expect(await lab.adapter.replace(request({ before: dear, feeLimit: ETHER }))).toEqual({
    kind: 'fee_too_high',
    fee: 26_250n * 540n * GWEI,
  })
  // The cap of a payout does not hold for a cancellation, whose limit alone counts.
  const cancel = built(
    await lab.adapter.replace(request({ purpose: 'cancel', before: dear, feeLimit: ETHER })),
  )
  expect(BigInt(cancel.payload.max_fee_per_gas)).toBe(540n * GWEI)
})
