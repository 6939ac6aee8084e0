/** Texts of the checkout page in French. */

import type { CheckoutWords } from './en.js'

export const fr: CheckoutWords = {
  pending: 'Payez {amount}',
  pending_text: 'Envoyez exactement ce montant à l’adresse ci-dessous.',
  open: 'Payez le montant de votre choix en {coin}',
  open_text: 'Envoyez le montant que vous voulez à l’adresse ci-dessous.',
  partial: 'Payez encore {amount}',
  partial_text: '{received} sur {total} sont arrivés. Envoyez le reste à la même adresse.',
  paid: 'Votre paiement a été vu',
  paid_text:
    '{received} sont en route et attendent les confirmations du réseau {network}. Ne payez pas une deuxième fois ; vous pouvez fermer cette page.',
  confirmed: 'Paiement terminé',
  confirmed_text: '{received} sont arrivés. Merci.',
  late: 'Votre paiement est arrivé trop tard',
  late_text:
    '{received} sont arrivés après la fin de ce paiement. Ne payez pas une deuxième fois. La boutique a été avertie ; donnez-lui le numéro de paiement ci-dessous.',
  expired: 'Le délai de ce paiement est écoulé',
  expired_text:
    'N’envoyez rien à son adresse. Si vous avez déjà payé, ne payez pas une deuxième fois : donnez à la boutique le numéro de paiement ci-dessous.',
  expired_part_text:
    '{received} sur {total} sont arrivés, ce qui ne suffit pas. N’envoyez pas le reste et ne payez pas une deuxième fois : donnez à la boutique le numéro de paiement ci-dessous.',
  cancelled: 'Ce paiement a été annulé',
  cancelled_text:
    'Ne le payez pas. Si vous avez déjà payé, ne payez pas une deuxième fois : donnez à la boutique le numéro de paiement ci-dessous.',
  only: 'Envoyez uniquement {coin} sur le réseau {network}. Une autre monnaie, ou {coin} sur un autre réseau, peut être perdue.',
  amount: 'Montant',
  coin: 'Monnaie',
  network: 'Réseau',
  address: 'Adresse',
  order: 'Commande',
  scan: 'Scannez le code avec votre portefeuille, ou copiez le montant et l’adresse.',
  scan_open: 'Scannez le code avec votre portefeuille, ou copiez l’adresse.',
  qr: 'Code QR de ce paiement, pour un portefeuille',
  open_wallet: 'Ouvrir dans un portefeuille',
  copy_amount: 'Copier le montant',
  copy_address: 'Copier l’adresse',
  copied: 'Copié',
  left: 'Temps restant : {duration}',
  until: 'jusqu’au {time}',
  confirmations: '{done} confirmations sur {needed}',
  back: 'Retour à la boutique',
  help: 'Besoin d’aide ? Donnez à la boutique ce numéro de paiement :',
  check: 'Vérifier de nouveau',
  check_text: 'Rechargez cette page pour savoir si votre paiement a été vu.',
  reissued:
    'La boutique a émis ce paiement une nouvelle fois. Utilisez le lien le plus récent de la boutique.',
  wrong_coin:
    'Une autre monnaie est arrivée à cette adresse. Elle ne compte pas pour ce paiement. Donnez à la boutique le numéro de paiement ci-dessous.',
  overpaid: 'Il est arrivé plus que le montant. Demandez la différence à la boutique.',
  reorged:
    'Le réseau a repris un paiement qui était arrivé. Il arrive en général de nouveau tout seul : attendez avant de payer une deuxième fois.',
}
