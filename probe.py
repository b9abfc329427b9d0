import sys, time, importlib.util, argparse
from dataclasses import replace
import numpy as np, torch
from torch import nn
torch.set_num_threads(1)
ap=argparse.ArgumentParser()
for k,d in dict(centre=0.5,steps=400,classes=1,lr=2e-3,wd=1e-2,hidden=256,suppress=0.3,regions=64,clip=10.0,kind="fixed",beta=1/9,side=1.0,fg=0.25,obj=0.5,boxw=1.0,bn=0.1,ema=0.0).items():
    ap.add_argument("--"+k,type=type(d),default=d)
a=ap.parse_args()
sys.path.insert(0,"/work/main/tests/detectors")
import test_two_stage as tt
from convworks.backbones.contract import Stage
from convworks.detectors import two_stage as ts
from convworks.detectors.answer import Truth
from convworks.data.synthetic import flat_scene
import convworks.regions.region_network as rn
import convworks.regions.heads as hh; hh.SHARP=a.beta; ts.FOREGROUND=a.fg; ts.OBJECT=a.obj
CL=tt.CLASSES
def shapes(count,seed):
    d=[flat_scene(seed,i,task="detection",classes=CL,size=(96,96)) for i in range(count)]
    im=torch.stack([torch.from_numpy(o.image).permute(2,0,1).float()/128-1 for o in d])
    return im,[Truth(boxes=torch.from_numpy(o.boxes),labels=torch.from_numpy(o.labels) if a.classes==3 else torch.zeros(len(o.boxes),dtype=torch.int64),aside=torch.zeros(0,4)) for o in d]
tr=shapes(800,0); te=shapes(150,1); pr=tt.priors()
system=replace(tt.FIXED if a.kind=="fixed" else tt.NETWORK,suppress=a.suppress,regions=a.regions)
if a.kind!="fixed": system=replace(system,testing=replace(system.testing,side=a.side))
torch.manual_seed(0)
cen=None if a.centre<0 else a.centre
net=ts.TwoStage(system,tt.body(),[Stage(name="m",channels=64,stride=8,centre=cen)],a.classes,hidden=a.hidden)
for m in net.modules():
    if isinstance(m,nn.BatchNorm2d): m.momentum=a.bn
opt=torch.optim.AdamW(net.parameters(),a.lr,weight_decay=a.wd)
sch=torch.optim.lr_scheduler.OneCycleLR(opt,a.lr,total_steps=a.steps)
g=torch.Generator().manual_seed(1)
t=time.process_time(); acc={}
for s in range(a.steps):
    rows=torch.randint(0,800,(8,),generator=g).tolist()
    parts=ts.loss(net,tr[0][rows],[tr[1][r] for r in rows],[pr]*8,g)
    opt.zero_grad(); 
    sum(v*(a.boxw if k=="places" else 1) for k,v in parts.items()).backward()
    n=nn.utils.clip_grad_norm_(net.parameters(),a.clip); opt.step(); sch.step()
    for k,v in {**parts,"norm":n}.items(): acc[k]=acc.get(k,0)+float(v.detach())
    if s%100==99: print(s+1,{k:round(v/100,4) for k,v in acc.items()},round(time.process_time()-t,1),flush=True); acc={}
net.eval()
from convworks.metrics.average_precision import table
from convworks.metrics.matches import coco_matches
def prec(system, images, truths):
    whole,net.system=net.system,system; places=net.places; net.places=places if system.moves else None
    found=[o for p in images.split(10) for o in ts.answered(net,p,[pr]*len(p))]
    net.system,net.places=whole,places
    seen=[coco_matches(o.boxes,o.scores,o.labels,*tt.counted(u)) for o,u in zip(found,truths)]
    m=np.nanmean(table(seen,a.classes).precision[:,:,0],1)
    return round(float(m[0]),3),round(float(m[4]),3)
print(vars(a))
tb=table
for word,sysm in {"moves":system,"none":replace(system,moves=False),"vote2":replace(system,rounds=2,vote=.5),"sup.5":replace(system,suppress=.5),"sup.5vote2":replace(system,suppress=.5,rounds=2,vote=.5)}.items():
    if a.kind!="fixed" and word=="none": continue
    print(word,prec(sysm,*te),flush=True)
print("train150",prec(system,tr[0][:150],tr[1][:150]))
torch.save(net,"/tmp/w/ts/last.pt")
