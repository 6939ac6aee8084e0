/** Paths of the cashier. */

/** Path of its pages, and of their cookies. */
export const CASHIER_PATH = '/cashier'

/** Paths of its routes, below `CASHIER_PATH`. */
export const ENTER = '/enter/:token'
export const ADDRESSES = '/addresses'
export const WITHDRAWALS = '/withdrawals'
export const CHECK = `${WITHDRAWALS}/check`
export const WITHDRAWAL = `${WITHDRAWALS}/:id`
