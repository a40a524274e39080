// The adjoint of every op that has one; each is defined beside its op's builder.
#pragma once

namespace drydock {

class AdjointCall;

void detach_adjoint(AdjointCall& call);
void reshape_adjoint(AdjointCall& call);
void slice_adjoint(AdjointCall& call);
void broadcast_adjoint(AdjointCall& call);
void unary_adjoint(AdjointCall& call);
void binary_adjoint(AdjointCall& call);
void where_adjoint(AdjointCall& call);
void pad_adjoint(AdjointCall& call);
void concat_adjoint(AdjointCall& call);
void gather_rows_adjoint(AdjointCall& call);
void reduce_adjoint(AdjointCall& call);
void matmul_adjoint(AdjointCall& call);
void linear_adjoint(AdjointCall& call);
void layer_norm_adjoint(AdjointCall& call);
void causal_attention_adjoint(AdjointCall& call);
void expectile_loss_adjoint(AdjointCall& call);
void mse_loss_adjoint(AdjointCall& call);
void gaussian_log_prob_adjoint(AdjointCall& call);

}  // namespace drydock
