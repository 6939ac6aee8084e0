/** Verifies that signed EVM transactions are the requested ones. */

import fc from 'fast-check'
import { getAddress, type Hex, keccak256, parseTransaction, serializeTransaction, toRlp } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { verifySigned } from '../../../chains/evm/send/verify-signed.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'
import { evmNetwork } from './lab.js'

const account = privateKeyToAccount(`0x${'8f2a5594'.repeat(8)}`)
const stranger = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const network = evmNetwork(['http://127.0.0.1:1'])
/** Order of secp256k1 (SEC 2). */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const CONTRACT = '0xdAC17F958D2ee523a2206206994597C13D831ec7'
const ALICE = '0x00000000000000000000000000000000000A11cE'

const payload: EvmPayload = {
  family: 'evm',
  network: 'ethereum',
  chain_id: 31_337,
  from: account.address,
  derivation_path: "m/44'/60'/2'/0/0",
  to: CONTRACT,
  value: '0',
  data: `0xa9059cbb${ALICE.slice(2).toLowerCase().padStart(64, '0')}${'7'.padStart(64, '0')}`,
  nonce: 3,
  gas: '65000',
  max_fee_per_gas: '3000000000',
  max_priority_fee_per_gas: '1000000000',
}

const sign = (of: EvmPayload, by = account, more: object = {}) =>
  by.signTransaction({
    type: 'eip1559',
    chainId: of.chain_id,
    nonce: of.nonce,
    to: of.to as Hex,
    value: BigInt(of.value),
    data: of.data as Hex,
    gas: BigInt(of.gas),
    maxFeePerGas: BigInt(of.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(of.max_priority_fee_per_gas),
    ...more,
  })

const refused = (of: unknown, signed: string) => {
  try {
    verifySigned(network, of as EvmPayload, signed)
    return 'accepted'
  } catch (error) {
    return (error as { details: { field: string } }).details.field
  }
}

// From the EIP-1559 test vectors that clients share (chain 7822, key 0x8f2a…be63).
const GOLDEN: readonly (readonly [
  nonce: number,
  value: string,
  gas: string,
  tip: string,
  max: string,
  raw: Hex,
])[] = [
  [
    819,
    '43203529',
    '35552',
    '75853',
    '121212',
    '0x02f870821e8e8203338301284d8301d97c828ae094000000000000000000000000000000000000aaaa8402933bc980c080a0d067f2167008c59219652f91cbf8788dbca5f771f6e91e2b7657e85b78b472e0a01d305af9fe81fdba43f0dfcd400ed24dcace0a7e30d4e85701dcaaf484cd079e',
  ],
  [
    353,
    '61901619',
    '32593',
    '38850',
    '136295',
    '0x02f86f821e8e8201618297c283021467827f5194000000000000000000000000000000000000aaaa8403b08b3380c001a004205678f13fc1d7b10feea6513dfa76e24418b6e08097d95c6f93a3b64e536da01d45ad61bfece43862de2cce7d2575a8c1d08c26c87f3cb5f26d7b0be54a91b2',
  ],
]

test('accepts the published EIP-1559 transactions, and returns keccak256 as their hash', () => {
  const signer = privateKeyToAccount('0x8f2a55949038a9610f50fb23b5883af3b4ecb3c3bb792cbcefbd1542c692be63')
  for (const [nonce, value, gas, tip, max, raw] of GOLDEN) {
    const of: EvmPayload = {
      ...payload,
      chain_id: 7822,
      from: signer.address,
      to: getAddress('0x000000000000000000000000000000000000aaaa'),
      data: '0x',
      nonce,
      value,
      gas,
      max_fee_per_gas: max,
      max_priority_fee_per_gas: tip,
    }
    expect(verifySigned({ ...network, chainId: 7822 }, of, raw)).toEqual({ txid: keccak256(raw) })
  }
})

test('compares addresses in EIP-55, and refuses a wrong checksum', async () => {
  for (const published of [
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
    '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
    '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
    '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
  ]) {
    const signed = await sign({ ...payload, to: published })
    expect(getAddress(published.toLowerCase())).toBe(published)
    expect(refused({ ...payload, to: published }, signed)).toBe('accepted')
    expect(refused({ ...payload, to: published.toLowerCase() }, signed)).toBe('accepted')
    const letter = published.slice(2).search(/[a-f]/) + 2
    const wrong = published.slice(0, letter) + published[letter]?.toUpperCase() + published.slice(letter + 1)
    expect(refused({ ...payload, to: wrong }, signed)).toBe('payload')
  }
})

test('accepts any transaction that is made from its payload, with zeros too', async () => {
  const amount = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }).map(String)
  const small = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)
  await fc.assert(
    fc.asyncProperty(
      fc.record({ value: amount, nonce: fc.nat(), gas: small, max_fee_per_gas: small }),
      fc.uint8Array({ maxLength: 70 }),
      async (fields, data) => {
        const of: EvmPayload = {
          ...payload,
          ...fields,
          max_priority_fee_per_gas: fields.max_fee_per_gas,
          data: `0x${Buffer.from(data).toString('hex')}`,
        }
        const signed = await sign(of)
        expect(verifySigned(network, of, signed)).toEqual({ txid: keccak256(signed) })
      },
    ),
    { numRuns: 100 },
  )
})

test('names every field that differs', async () => {
  const changed: readonly (readonly [keyof EvmPayload, unknown, string])[] = [
    ['to', ALICE, 'to'],
    ['value', '1', 'value'],
    ['data', `${payload.data}00`, 'data'],
    ['nonce', 4, 'nonce'],
    ['gas', '65001', 'gas'],
    ['max_fee_per_gas', '3000000001', 'max_fee_per_gas'],
    ['max_priority_fee_per_gas', '1000000001', 'max_priority_fee_per_gas'],
    ['chain_id', 1, 'chain_id'],
  ]
  const good = await sign(payload)
  expect(refused(payload, good)).toBe('accepted')
  for (const [field, value, named] of changed) {
    const other = await sign({ ...payload, [field]: value })
    expect([field, refused(payload, other)]).toEqual([field, named])
    expect([field, refused({ ...payload, [field]: value }, good)]).toEqual([field, named])
  }
  expect(refused(payload, await sign(payload, stranger))).toBe('from')
  expect(refused({ ...payload, network: 'polygon' }, good)).toBe('network')
  expect(refused(payload, await sign(payload, account, { to: undefined }))).toBe('to')
  expect(
    refused(payload, await sign(payload, account, { accessList: [{ address: CONTRACT, storageKeys: [] }] })),
  ).toBe('access_list')
})

test('refuses a payload with a field missing, added or of another form', async () => {
  // viem would sign the first as nonce 0, the second as the creation of a contract, the third with free gas.
  for (const field of [
    'nonce',
    'to',
    'max_fee_per_gas',
    'gas',
    'value',
    'data',
    'chain_id',
    'from',
  ] as const) {
    const { [field]: _, ...rest } = payload
    const signed = await sign(payload, account, field === 'nonce' ? { nonce: undefined } : {})
    expect([field, refused(rest, signed)]).toEqual([field, 'payload'])
  }
  const good = await sign(payload)
  for (const wrong of [
    { value: '0x0' },
    { value: '00' },
    { gas: '-1' },
    { nonce: -1 },
    { nonce: 0.5 },
    { extra: 1 },
    { data: '0xA9' },
  ])
    expect([wrong, refused({ ...payload, ...wrong }, good)]).toEqual([wrong, 'payload'])
})

test('accepts type 2 only', async () => {
  const fields = {
    nonce: 3,
    to: CONTRACT,
    data: payload.data as Hex,
    gas: 65_000n,
    gasPrice: 3_000_000_000n,
  } as const
  const legacy = await account.signTransaction({ type: 'legacy', chainId: 31_337, ...fields })
  const unprotected = await account.signTransaction({ type: 'legacy', ...fields })
  const type1 = await account.signTransaction({ type: 'eip2930', chainId: 31_337, ...fields })
  for (const raw of [legacy, unprotected, type1, '0x', '', '0x02', '0x02c0', `0x02${'ff'.repeat(40)}`])
    expect([raw, ['type', 'encoding'].includes(refused(payload, raw))]).toEqual([raw, true])
})

test('refuses bytes after the transaction, leading zeros and upper case', async () => {
  const good = await sign(payload)
  expect(refused(payload, `${good}00`)).not.toBe('accepted')
  expect(refused(payload, good.toUpperCase().replace('0X', '0x'))).toBe('type')
  const { r, s, yParity } = parseTransaction(good) as { r: Hex; s: Hex; yParity: number }
  const padded = toRlp([
    '0x7a69',
    '0x0003',
    '0x3b9aca00',
    '0xb2d05e00',
    '0xfde8',
    CONTRACT,
    '0x',
    payload.data as Hex,
    [],
    yParity === 1 ? '0x01' : '0x',
    r,
    s,
  ])
  expect(refused(payload, `0x02${padded.slice(2)}`)).toBe('encoding')
})

test('refuses an unsigned transaction and the mirrored high-s signature', async () => {
  const good = await sign(payload)
  const {
    r,
    s,
    yParity,
    v: _,
    ...fields
  } = parseTransaction(good) as Record<string, unknown> & {
    r: Hex
    s: Hex
    yParity: number
  }
  expect(refused(payload, serializeTransaction(fields as Parameters<typeof serializeTransaction>[0]))).toBe(
    'signature',
  )
  const high = `0x${(ORDER - BigInt(s)).toString(16).padStart(64, '0')}` as Hex
  const mirrored = serializeTransaction(fields as Parameters<typeof serializeTransaction>[0], {
    r,
    s: high,
    yParity: 1 - yParity,
  })
  expect(refused(payload, mirrored)).toBe('signature')
})
