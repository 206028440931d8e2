# What a fresh installation has to do, in an empty folder: `make package` runs it.
bayescomb --version
bayescomb models
bayescomb models copy run1_mass
bayescomb check run1_mass > check.txt
bayescomb profile run1_mass | grep "m_t = 172.51 +- 0.33 GeV"
bayescomb init mine --observables "m_t [GeV]" --experiments A,B --sources JES
bayescomb convert run1_mass copy
bayescomb reference prior
bayescomb explore run1_mass --draws 0 --output explorer.html
bayescomb report run1_mass --output report
python -c "import bayescomb as bc; print(bc.profile(bc.load('copy')))" > fit.txt
