/** Kills the processes of a payment that goes back or is ended by a person, at every commit. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTransaction } from '../../../db/connect.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { rejectDeposit } from '../../../db/deposits/decide-held-deposit.js'
import { holdDeposit } from '../../../db/deposits/hold-deposit.js'
import { cancelPayment } from '../../../db/payments/cancel-payment.js'
import { reissuePayment } from '../../../db/payments/reissue-payment.js'
import { networks } from '../../stage/deposit-steps.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'
import { atEveryCommit } from './at-every-commit.js'
import { API, PUBLIC_URL, paymentLives, unlessDone } from './payment-lives.js'

let stage: PaymentStage
let lives: ReturnType<typeof paymentLives>
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
  lives = paymentLives(stage)
})
afterAll(() => stage?.close())

test('takes a confirmed payment back once, and confirms it again, at whichever commit a process is killed', async () => {
  const commits = await atEveryCommit(stage.api.database, {
    prepare: () => lives.prepared(lives.confirm),
    async live(sql, subject) {
      lives.once(subject, 'fork', () => {
        const lost = stage.model.orphan(4)
        stage.model.mine([])
        stage.model.mine(lost)
        for (let block = 0; block < 3; block++) stage.model.mine([])
      })
      await lives.settle(sql, subject)
    },
    facts: (subject) => lives.facts(subject),
  })
  expect(commits).toBeGreaterThan(6)
}, 120_000)

test('stops counting a rejected deposit once, at whichever commit a process is killed', async () => {
  const commits = await atEveryCommit(stage.api.database, {
    prepare: () => lives.prepared(lives.create, (_, subject) => lives.pay(subject)),
    async live(sql, subject) {
      lives.once(subject, 'bury', () => lives.mine(4))
      await lives.follow(sql, subject)
      for (const id of await lives.depositsOf(sql, subject)) {
        await confirmDeposit(sql, networks, id)
        await holdDeposit(sql, networks, id, 'a review is needed')
        const decision = {
          merchantId: stage.api.merchantId,
          id,
          by: 'per_1',
          reason: 'no',
          actor: 'person:per_1',
        }
        await unlessDone(() => inTransaction(sql, (tx) => rejectDeposit(tx, networks, decision)))
      }
      await lives.follow(sql, subject)
    },
    facts: (subject) => lives.facts(subject),
  })
  expect(commits).toBeGreaterThan(4)
}, 120_000)

test('cancels a payment once and issues it again once, at whichever commit a process is killed', async () => {
  const commits = await atEveryCommit(stage.api.database, {
    prepare: () => lives.prepared(lives.create),
    async live(sql, subject) {
      const [id = ''] = await lives.idsOf(sql, subject)
      const ask = { merchantId: stage.api.merchantId, id, ...API }
      await unlessDone(() => inTransaction(sql, (tx) => cancelPayment(tx, ask)))
      await unlessDone(() =>
        inTransaction(sql, (tx) =>
          reissuePayment(tx, () => stage.network, { ...ask, expiresInSeconds: null, publicUrl: PUBLIC_URL }),
        ),
      )
      await lives.follow(sql, subject)
    },
    facts: (subject) => lives.facts(subject),
    deaths: 2,
  })
  expect(commits).toBeGreaterThan(2)
}, 120_000)
