/** Parses answers of nodes that write hex in other ways than most, or malformed. */

import { expect, test } from 'vitest'
import { type BlockAnswers, parseBlock } from '../../../chains/evm/scan/parse-block.js'

const TOKEN = `0x${'ab'.repeat(20)}`
const SENDER = `0x${'cd'.repeat(20)}`
const PAYEE = 'ef'.repeat(20)
const HASH = `0x${'11'.repeat(32)}`
const TXID = `0x${'fe'.repeat(32)}`
const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'
const APPROVAL = '0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925'
const RULES = { nativeCoin: 'eth', tokens: new Map([[TOKEN, 'usdt']]), systemSenders: new Set<string>() }
const word = (address: string) => `0x${address.replace('0x', '').padStart(64, '0')}`
const upper = (hex: string) => `0x${hex.slice(2).toUpperCase()}`

const LOG = {
  address: TOKEN,
  topics: [TRANSFER, word(SENDER), word(PAYEE)],
  data: word('ff'),
  logIndex: '0x0',
}
const RECEIPT = {
  blockHash: HASH,
  transactionHash: TXID,
  from: SENDER,
  status: '0x1',
  gasUsed: '0xa',
  effectiveGasPrice: '0xb',
  logs: [LOG],
}
const TRANSACTION = { hash: TXID, from: SENDER, to: `0x${PAYEE}`, value: '0xc' }

function answers(receipts: readonly unknown[], transaction: unknown = TRANSACTION): BlockAnswers {
  const block = { hash: HASH, number: '0x5', parentHash: HASH, timestamp: '0x1', transactions: [transaction] }
  return { block, receipts, traces: null }
}

test('reads hex in upper case as in lower case, and misses no transfer for it', () => {
  const plain = parseBlock(RULES, 5, answers([RECEIPT]))
  expect(plain?.transfers.map(({ coin, payee, amount }) => [coin, payee, amount])).toEqual([
    ['eth', PAYEE, 12n],
    ['usdt', PAYEE, 255n],
  ])
  const log = { ...LOG, address: upper(TOKEN), topics: LOG.topics.map(upper), data: upper(LOG.data) }
  const receipt = {
    ...RECEIPT,
    transactionHash: upper(TXID),
    from: upper(SENDER),
    gasUsed: '0xA',
    logs: [log],
  }
  const transaction = { hash: upper(TXID), from: upper(SENDER), to: upper(`0x${PAYEE}`), value: '0xC' }
  expect(parseBlock(RULES, 5, answers([receipt], transaction))).toEqual(plain)
})

test('leaves out other events of a token', () => {
  const log = { ...LOG, topics: [APPROVAL, ...LOG.topics.slice(1)] }
  const block = parseBlock(RULES, 5, answers([{ ...RECEIPT, logs: [log] }]))
  expect(block?.transfers.map(({ coin }) => coin)).toEqual(['eth'])
})

test('keeps a transaction that only the receipts list, after those of the block', () => {
  const other = `0x${'0a'.repeat(32)}`
  const block = parseBlock(RULES, 5, answers([{ ...RECEIPT, transactionHash: other }, RECEIPT]))
  expect(block?.txids).toEqual([TXID, other])
  expect(block?.transfers.map(({ txid, coin }) => [txid, coin])).toEqual([
    [TXID, 'eth'],
    [TXID, 'usdt'],
    [other, 'usdt'],
  ])
})

for (const [what, log] of [
  ['an address', { ...LOG, address: `${TOKEN.slice(0, -1)}g` }],
  ['an address of another length', { ...LOG, address: `${TOKEN}00` }],
  ['the topic of the event', { ...LOG, topics: [`${TRANSFER.slice(0, -1)}g`, ...LOG.topics.slice(1)] }],
  ['a topic', { ...LOG, topics: [TRANSFER, word(SENDER), `${word(PAYEE).slice(0, -1)}\n`] }],
  ['an amount', { ...LOG, data: `${LOG.data.slice(0, -1)} ` }],
  ['an index', { ...LOG, logIndex: '0' }],
] as const)
  test(`refuses a log with ${what} that is malformed`, () => {
    expect(() => parseBlock(RULES, 5, answers([{ ...RECEIPT, logs: [log] }]))).toThrow('a malformed')
  })
